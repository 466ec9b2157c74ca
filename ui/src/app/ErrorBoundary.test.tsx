import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { ErrorBoundary } from "./ErrorBoundary.tsx";

it("says what broke, and shows the view again", async () => {
  vi.spyOn(console, "error").mockReturnValue(undefined);
  let works = false;
  const View = () => {
    if (!works) throw new Error("no such drink");
    return <p>all well</p>;
  };
  render(
    <ErrorBoundary>
      <View />
    </ErrorBoundary>,
  );
  expect(screen.getByRole("alert").textContent).toContain("no such drink");
  works = true;
  await userEvent.click(screen.getByRole("button"));
  expect(screen.getByText("all well")).toBeTruthy();
});
