import type { Socket } from "./reference.ts";
import { TypeName } from "./TypeName.tsx";

/** What one WebSocket says. */
export function SocketCard({ socket }: { readonly socket: Socket }) {
  const { anchor, path, title, description, messages, closeCodes } = socket;
  return (
    <article id={anchor} className="card docs-entry" data-testid={`docs-${anchor}`} aria-label={`WS ${path}`}>
      <h3>
        <a href={`#${encodeURIComponent(anchor)}`}>
          <span className="docs-method">WS</span> <code>{path}</code>
        </a>
      </h3>
      <p>
        <strong>{title}.</strong> {description}
      </p>
      <h4>Messages</h4>
      <ul>
        {messages.map((message) => (
          <li key={message.title}>
            <TypeName type={message.type} /> {message.title}
          </li>
        ))}
      </ul>
      <h4>Why it is closed</h4>
      <dl className="docs-answers">
        {closeCodes.map(({ code, reason }) => (
          <div key={code} className="docs-answer">
            <dt>
              <span className="docs-status num">{code}</span>
            </dt>
            <dd>
              <p>{reason}</p>
            </dd>
          </div>
        ))}
      </dl>
    </article>
  );
}
