import type { Reference } from "./reference.ts";

/** What of a reference has all these words; everything where there are none. */
export function search(reference: Reference, asked: string): Reference {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return reference;
  const has = (entry: { readonly words: string }) => words.every((word) => entry.words.includes(word));
  const groups = reference.groups.map((group) => ({ ...group, calls: group.calls.filter(has) }));
  return {
    ...reference,
    paragraphs: [],
    groups: groups.filter(({ calls }) => calls.length > 0),
    anywhere: [],
    socketParagraphs: [],
    sockets: reference.sockets.filter(has),
    schemas: reference.schemas.filter(has),
  };
}

/** How many entries there are. */
export function entriesOf({ groups, sockets, schemas }: Reference): number {
  return groups.reduce((sum, { calls }) => sum + calls.length, 0) + sockets.length + schemas.length;
}
