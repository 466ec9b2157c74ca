import type { Media } from "./reference.ts";
import { TypeName } from "./TypeName.tsx";

/** The ways in which a body may be written, each with its examples. */
export function MediaList({
  contents,
  label,
}: {
  readonly contents: readonly Media[];
  readonly label: string;
}) {
  return contents.map(({ media, type, problems, examples }) => (
    <div key={media} className="docs-media">
      <p>
        <TypeName type={type} /> <span className="muted">as {media}</span>
      </p>
      {problems.length > 0 && (
        <ul className="docs-problems">
          {problems.map((problem) => (
            <li key={problem}>
              <code>{problem}</code>
            </li>
          ))}
        </ul>
      )}
      {examples.length > 0 && (
        <details>
          <summary>{examples.length === 1 ? "Example" : "Examples"}</summary>
          {examples.map(({ name, text }) => (
            <figure key={name}>
              <figcaption>{name}</figcaption>
              <pre tabIndex={0} role="group" aria-label={`${label}: ${name}`}>
                {text}
              </pre>
            </figure>
          ))}
        </details>
      )}
    </div>
  ));
}
