import { FieldTable } from "./FieldTable.tsx";
import type { NamedSchema } from "./reference.ts";
import { TypeName } from "./TypeName.tsx";

/** One schema that has a name. */
export function SchemaCard({ schema }: { readonly schema: NamedSchema }) {
  const { anchor, name, description, type, shapes } = schema;
  return (
    <article id={anchor} className="card docs-entry" data-testid={`docs-${anchor}`} aria-label={name}>
      <h3>
        <a href={`#${anchor}`}>
          <code>{name}</code>
        </a>
      </h3>
      <p>
        {description} {shapes.length === 0 && <TypeName type={type} />}
      </p>
      {shapes.length > 1 && <h4>One of</h4>}
      {shapes.map((shape, index) => (
        // Shapes have no names, and do not change places.
        <div key={index}>
          {shape.description !== "" && <p>{shape.description}</p>}
          <FieldTable label={`${name}: fields ${index + 1}`} fields={shape.fields} />
        </div>
      ))}
    </article>
  );
}
