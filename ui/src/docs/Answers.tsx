import { FieldTable } from "./FieldTable.tsx";
import { MediaList } from "./MediaList.tsx";
import type { Answer } from "./reference.ts";

/** The answers of an operation, by status. */
export function Answers({ answers, label }: { readonly answers: readonly Answer[]; readonly label: string }) {
  return (
    <dl className="docs-answers">
      {answers.map(({ status, description, headers, contents }) => (
        <div key={status} className="docs-answer">
          <dt>
            <span className="docs-status num" data-class={status[0]}>
              {status}
            </span>
          </dt>
          <dd>
            <p>{description}</p>
            {headers.length > 0 && <FieldTable label={`${label}: headers of ${status}`} fields={headers} />}
            <MediaList contents={contents} label={`${label}: ${status}`} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
