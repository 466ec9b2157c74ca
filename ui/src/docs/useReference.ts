import { useCallback, useEffect, useState } from "react";
import { getAsyncApi, getOpenApi } from "../lib/api.ts";
import type { AsyncApi, OpenApi } from "./documents.ts";
import { readReference, type Reference } from "./reference.ts";

/** The reference, or how far it is. */
export interface Loaded {
  readonly reference: Reference | null;
  /** Why it is not there; null where it is, or comes. */
  readonly failure: string | null;
  readonly again: () => void;
}

/** Reads the node's documents. */
export function useReference(): Loaded {
  const [state, setState] = useState<Omit<Loaded, "again">>({ reference: null, failure: null });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let isWanted = true;
    void read().then((loaded) => {
      if (isWanted) setState(loaded);
    });
    return () => {
      isWanted = false;
    };
  }, [attempt]);
  const again = useCallback(() => setAttempt((count) => count + 1), []);
  return { ...state, again };
}

async function read(): Promise<Omit<Loaded, "again">> {
  const [openapi, asyncapi] = await Promise.all([getOpenApi(), getAsyncApi()]);
  const failed = [openapi, asyncapi].find((answer) => !answer.ok);
  if (!openapi.ok || !asyncapi.ok)
    return { reference: null, failure: failed?.ok === false ? failed.message : "" };
  try {
    return { reference: readReference(openapi.value as OpenApi, asyncapi.value as AsyncApi), failure: null };
  } catch {
    return { reference: null, failure: "The node's documents are not of a kind that this page reads." };
  }
}
