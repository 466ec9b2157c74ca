import { Component, type ReactNode } from "react";

interface State {
  readonly failed: string | null;
}

/** Keeps the header and the other views usable where one view breaks. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { failed: null };

  static getDerivedStateFromError(error: unknown): State {
    return { failed: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    if (this.state.failed === null) return this.props.children;
    return (
      <section className="card broken" role="alert">
        <h1>This view broke</h1>
        <p>
          The node is not affected. The page and the node may be of different versions: load the page again.
        </p>
        <p className="mono">{this.state.failed}</p>
        <p>
          <button type="button" className="button" onClick={() => this.setState({ failed: null })}>
            Show it again
          </button>
        </p>
      </section>
    );
  }
}
