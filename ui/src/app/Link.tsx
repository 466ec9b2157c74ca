import type { MouseEvent, ReactNode } from "react";
import { address } from "./routes.ts";

interface LinkProps {
  readonly to: string;
  readonly children: ReactNode;
  readonly className?: string;
  readonly current?: boolean;
  readonly testId?: string;
}

/** A link to a view: with a modifier it opens where the browser would. */
export function Link({ to, children, className, current, testId }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    address.go(to);
  };
  return (
    <a
      href={to}
      onClick={follow}
      className={className}
      aria-current={current ? "page" : undefined}
      data-testid={testId}
    >
      {children}
    </a>
  );
}
