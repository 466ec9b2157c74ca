import type { Field } from "./schema.ts";
import { TypeName } from "./TypeName.tsx";

interface FieldTableProps {
  readonly label: string;
  readonly fields: readonly (Field & { readonly place?: string })[];
}

/** Fields, parameters or headers. */
export function FieldTable({ label, fields }: FieldTableProps) {
  return (
    <div className="table-scroll docs-scroll" tabIndex={0} role="group" aria-label={label}>
      <table className="docs-fields">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Type</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>
          {fields.map((field, index) => (
            // A name may stand twice where a value may have one of several shapes.
            <tr key={`${field.name} ${index}`}>
              <th scope="row">
                <code>{field.name}</code>
                <span className="docs-need">
                  {[field.place && `in ${field.place}`, field.isRequired ? "required" : "optional"]
                    .filter(Boolean)
                    .join(", ")}
                </span>
              </th>
              <td>
                <TypeName type={field.type} />
              </td>
              <td>
                {field.description}
                {field.rules.length > 0 && <span className="docs-rules">{field.rules.join("; ")}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
