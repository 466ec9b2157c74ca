import type { Reference } from "./reference.ts";

/** Links to everything that is shown. */
export function Contents({ reference }: { readonly reference: Reference }) {
  const groups = [
    ...reference.groups.map(({ name, calls }) => ({
      name,
      links: calls.map(({ anchor, method, path }) => ({ anchor, text: `${method} ${path}` })),
    })),
    { name: "messages", links: reference.sockets.map(({ anchor, path }) => ({ anchor, text: path })) },
    { name: "schemas", links: reference.schemas.map(({ anchor, name }) => ({ anchor, text: name })) },
  ].filter(({ links }) => links.length > 0);
  return (
    <nav className="docs-contents" aria-label="Contents of the reference">
      {groups.map(({ name, links }) => (
        <details key={name}>
          <summary>
            {name} <span className="muted num">{links.length}</span>
          </summary>
          <ul>
            {links.map(({ anchor, text }) => (
              <li key={anchor}>
                <a href={`#${encodeURIComponent(anchor)}`}>{text}</a>
              </li>
            ))}
          </ul>
        </details>
      ))}
    </nav>
  );
}
