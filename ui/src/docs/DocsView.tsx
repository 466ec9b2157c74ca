import { useDeferredValue, useLayoutEffect, useMemo, useState } from "react";
import type { NodeInfo } from "../lib/wire.ts";
import { CallCard } from "./CallCard.tsx";
import { Answers } from "./Answers.tsx";
import { Contents } from "./Contents.tsx";
import type { Reference } from "./reference.ts";
import { SchemaCard } from "./SchemaCard.tsx";
import { entriesOf, search } from "./search.ts";
import { SocketCard } from "./SocketCard.tsx";
import { useReference } from "./useReference.ts";
import "./docs.css";

/** `/docs`: what the node answers and sends, read from its own documents. */
export function DocsView({ info }: { readonly info: NodeInfo | null }) {
  const { reference, failure, again } = useReference();
  return (
    <div className="docs" data-testid="docs-view">
      <h1>API</h1>
      <Example info={info} />
      {failure !== null && (
        <section className="card" role="alert">
          <p>{failure}</p>
          <button type="button" className="button" onClick={again}>
            Try again
          </button>
        </section>
      )}
      {reference === null && failure === null && <p className="muted">Reading the node&#39;s documents</p>}
      {reference && <Searched reference={reference} />}
    </div>
  );
}

function Searched({ reference }: { readonly reference: Reference }) {
  const [asked, setAsked] = useState("");
  const wanted = useDeferredValue(asked);
  const found = useMemo(() => search(reference, wanted), [reference, wanted]);
  const count = entriesOf(found);

  // What an address points at is there only now, and is gone to before anything is painted.
  useLayoutEffect(() => {
    const anchor = decodeURIComponent(location.hash.slice(1));
    if (anchor) document.getElementById(anchor)?.scrollIntoView();
  }, []);

  return (
    <>
      <div className="docs-search">
        <label htmlFor="docs-search">Search</label>
        <input
          id="docs-search"
          type="search"
          data-testid="docs-search"
          placeholder="a path, a field, a problem"
          value={asked}
          onChange={(event) => setAsked(event.target.value)}
        />
        <span className="muted" role="status">
          {wanted.trim() === "" ? "" : count === 1 ? "1 entry" : `${count} entries`}
        </span>
      </div>
      <Contents reference={found} />
      <Found reference={found} />
    </>
  );
}

function Found({ reference }: { readonly reference: Reference }) {
  const { groups, anywhere, sockets, schemas } = reference;
  return (
    <>
      <Paragraphs of={reference.paragraphs} />
      {groups.map(({ name, description, calls }) => (
        <section key={name} className="docs-group" aria-labelledby={`group-${name}`}>
          <h2 id={`group-${name}`}>{name}</h2>
          <p className="muted">{description}</p>
          {calls.map((call) => (
            <CallCard key={call.anchor} call={call} />
          ))}
        </section>
      ))}
      {anywhere.length > 0 && (
        <section className="card" aria-labelledby="docs-anywhere">
          <h2 id="docs-anywhere">Answers of any path</h2>
          <Answers answers={anywhere} label="Answers of any path" />
        </section>
      )}
      {sockets.length > 0 && (
        <section className="docs-group" aria-labelledby="group-messages">
          <h2 id="group-messages">messages</h2>
          <Paragraphs of={reference.socketParagraphs} />
          {sockets.map((socket) => (
            <SocketCard key={socket.anchor} socket={socket} />
          ))}
        </section>
      )}
      {schemas.length > 0 && (
        <section className="docs-group" aria-labelledby="group-schemas">
          <h2 id="group-schemas">schemas</h2>
          {schemas.map((schema) => (
            <SchemaCard key={schema.anchor} schema={schema} />
          ))}
        </section>
      )}
    </>
  );
}

function Paragraphs({ of }: { readonly of: readonly string[] }) {
  return of.map((paragraph) => (
    <p key={paragraph} className="docs-text">
      {paragraph}
    </p>
  ));
}

function Example({ info }: { readonly info: NodeInfo | null }) {
  const first = info?.versions[0];
  if (!info || !first) return null;
  return (
    <section className="card" aria-labelledby="docs-order">
      <div className="card-head">
        <h2 id="docs-order">An order to copy</h2>
        <p className="card-note">{`version ${info.version}, on ${info.engine}`}</p>
      </div>
      <pre tabIndex={0} role="group" aria-label="An order to copy">
        {commandFor(first.order_path, info.menu)}
      </pre>
    </section>
  );
}

function commandFor(path: string, menu: NodeInfo["menu"]): string {
  const order = JSON.stringify({
    drink: menu.drinks[0] ?? "",
    store: menu.stores[0] ?? "",
    price: "4.50",
    timestamp: new Date().toISOString(),
  });
  return `curl -H 'content-type: application/json' ${location.origin}${path} \\\n  -d '${order}'`;
}
