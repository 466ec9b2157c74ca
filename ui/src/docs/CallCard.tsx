import { Answers } from "./Answers.tsx";
import { FieldTable } from "./FieldTable.tsx";
import { MediaList } from "./MediaList.tsx";
import type { Call } from "./reference.ts";

/** One operation. */
export function CallCard({ call }: { readonly call: Call }) {
  const { anchor, method, path, parameters, body } = call;
  const name = `${method} ${path}`;
  return (
    <article id={anchor} className="card docs-entry" data-testid={`docs-${anchor}`} aria-label={name}>
      <h3>
        <a href={`#${encodeURIComponent(anchor)}`}>
          <span className="docs-method">{method}</span> <code>{path}</code>
        </a>
      </h3>
      <p>
        <strong>{call.summary}.</strong> {call.description}
      </p>
      {call.isForOperators && (
        <p className="docs-note">
          For operators: where the node has an admin token, send it as{" "}
          <code>Authorization: Bearer &lt;token&gt;</code>.
        </p>
      )}
      {parameters.length > 0 && (
        <>
          <h4>Parameters</h4>
          <FieldTable label={`${name}: parameters`} fields={parameters} />
        </>
      )}
      {body && (
        <>
          <h4>Body</h4>
          <p>{body.description}</p>
          <MediaList contents={body.contents} label={`${name}: body`} />
        </>
      )}
      <h4>Answers</h4>
      <Answers answers={call.answers} label={name} />
    </article>
  );
}
