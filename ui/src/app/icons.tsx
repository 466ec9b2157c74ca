import type { ReactNode } from "react";

function Icon({ children }: { readonly children: ReactNode }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 24 24"
      width="20"
      height="20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

/** The mark of the page: a cup whose steam is a pulse. */
export function Cup() {
  return (
    <Icon>
      <path d="M4 11h13v4a5 5 0 0 1-5 5H9a5 5 0 0 1-5-5z" />
      <path d="M17 12h1.5a2.5 2.5 0 0 1 0 5H16.6" />
      <path d="M3.5 6.5h4L9 3l3 5 1.3-1.5H17" />
    </Icon>
  );
}

/** Light colours. */
export function Sun() {
  return (
    <Icon>
      <circle cx="12" cy="12" r="4" />
      <path d="M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4" />
    </Icon>
  );
}

/** Dark colours. */
export function Moon() {
  return (
    <Icon>
      <path d="M20 14.5A8.5 8.5 0 1 1 9.5 4a6.8 6.8 0 0 0 10.5 10.5z" />
    </Icon>
  );
}
