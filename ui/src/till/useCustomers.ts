import { useCallback, useEffect, useRef, useState } from "react";
import { type Answer, getCustomers } from "../lib/api.ts";
import type { Customers } from "../lib/wire.ts";

/** While customers are under way their progress is read this often. */
export const POLL_MS = 1_000;

/** What is known of the node's customers. */
export interface CustomersState {
  /** Null where unknown. */
  readonly customers: Customers | null;
  /** Why the last reading failed. */
  readonly unread: string | null;
  /** Takes in an answer to a command. */
  readonly take: (answer: Answer<Customers>) => void;
}

/** Reads the node's customers: once, then each second while some are under way or the node does not answer. */
export function useCustomers(read: () => Promise<Answer<Customers>> = getCustomers): CustomersState {
  const [customers, setCustomers] = useState<Customers | null>(null);
  const [unread, setUnread] = useState<string | null>(null);
  const [turn, setTurn] = useState(0);
  // What a command answered is newer than a reading that began before it.
  const commands = useRef(0);

  const take = useCallback((answer: Answer<Customers>) => {
    commands.current += 1;
    if (answer.ok) setCustomers(answer.value);
    setTurn((before) => before + 1);
  }, []);

  const waits = turn > 0;
  const polls = customers === null || customers.running !== null;
  useEffect(() => {
    if (waits && !polls) return undefined;
    let ended = false;
    const load = async () => {
      const begun = commands.current;
      const answer = await read();
      if (ended) return;
      setUnread(answer.ok ? null : answer.message);
      if (answer.ok && begun === commands.current) setCustomers(answer.value);
      setTurn((before) => before + 1);
    };
    const timer = setTimeout(() => void load(), waits ? POLL_MS : 0);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [turn, waits, polls, read]);

  return { customers, unread, take };
}
