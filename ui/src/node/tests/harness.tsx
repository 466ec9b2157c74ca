import { screen, within } from "@testing-library/react";
import { vi } from "vitest";
import type { Events, NodeInfo, Picture } from "../../lib/wire.ts";
import { recorder } from "../model/record.ts";
import { NodeView } from "../NodeView.tsx";
import { info, picture } from "./fixtures.ts";

/** What the view is given; reset by `beginAnew`. */
export const inject = vi.fn();
export const loadEvents = vi.fn();
export const onToken = vi.fn();

interface Changes {
  picture?: Picture | null;
  live?: boolean;
  info?: NodeInfo | null;
  token?: string;
}

/** The view with a node that anyone may break, but for what a test changes. */
export function view({
  picture: shown = picture(),
  live = true,
  info: node = info(),
  token = "",
}: Changes = {}) {
  return (
    <NodeView
      picture={shown}
      live={live}
      info={node}
      inject={inject}
      loadEvents={loadEvents}
      token={token}
      onToken={onToken}
    />
  );
}

/** The row of an actor. */
export const row = (path: string) => screen.getByTestId(`actor-row-${path}`);
/** A button in the row of an actor. */
export const button = (path: string, name: string) => within(row(path)).getByTestId(name);

/** Lets a test begin with nothing remembered, in a document that has modal dialogs, which jsdom has not. */
export function beginAnew(): void {
  HTMLDialogElement.prototype.showModal = function showModal(this: HTMLDialogElement) {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close(this: HTMLDialogElement) {
    this.open = false;
  };
  recorder.reset();
  sessionStorage.clear();
  inject.mockReset().mockResolvedValue({ ok: true });
  loadEvents.mockReset().mockResolvedValue({ events: [], newest_seq: 0 } satisfies Events);
  onToken.mockReset();
}

/** A whole tree takes its time on a busy machine. */
export const SLOW = { testTimeout: 20_000 };
