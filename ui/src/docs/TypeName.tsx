import { schemaAnchor } from "./reference.ts";
import type { TypePart } from "./schema.ts";

/** A type; the names in it lead to their schemas. */
export function TypeName({ type }: { readonly type: readonly TypePart[] }) {
  return (
    <code className="docs-type">
      {type.map(({ text, schema }, index) =>
        schema === null ? (
          text
        ) : (
          // A type has no parts that change places.
          <a key={index} href={`#${schemaAnchor(schema)}`}>
            {text}
          </a>
        ),
      )}
    </code>
  );
}
