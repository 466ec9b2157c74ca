import { Suspense, useEffect, useRef, useSyncExternalStore } from "react";
import { ErrorBoundary } from "./ErrorBoundary.tsx";
import { Header } from "./Header.tsx";
import { Link } from "./Link.tsx";
import { NodePage } from "./NodePage.tsx";
import { OverviewPage } from "./OverviewPage.tsx";
import { address, routeOf, type View } from "./routes.ts";
import { SalesPage } from "./SalesPage.tsx";
import type { Sources } from "./sources.ts";
import { DocsView, loadAllViews, TillView } from "./views.tsx";
import "../styles/tokens.css";
import "../styles/base.css";
import "./app.css";

/** The whole page: header, and the view of the address. */
export function App({ sources }: { readonly sources: Sources }) {
  const path = useSyncExternalStore(address.subscribe, address.getSnapshot);
  const route = routeOf(path);
  const main = useRef<HTMLElement>(null);
  const shown = useRef(path);

  useEffect(loadAllViews, []);

  useEffect(() => {
    document.title = route ? `${route.label} · Coffee-RT` : "Not found · Coffee-RT";
    // Keyboards and screen readers go on where the new view begins; the first view takes no focus.
    if (shown.current !== path) main.current?.focus({ preventScroll: true });
    shown.current = path;
  }, [path, route]);

  return (
    <>
      <a className="skip" href="#main">
        To the content
      </a>
      <Header sources={sources} view={route?.view ?? null} />
      <main id="main" ref={main} tabIndex={-1} className="main">
        <ErrorBoundary key={path}>
          <Suspense fallback={<p className="loading">Loading</p>}>
            {route ? <ViewOf view={route.view} sources={sources} /> : <NotFound path={path} />}
          </Suspense>
        </ErrorBoundary>
      </main>
    </>
  );
}

function ViewOf({ view, sources }: { readonly view: View; readonly sources: Sources }) {
  const info = useSyncExternalStore(sources.info.subscribe, sources.info.getSnapshot);
  switch (view) {
    case "overview":
      return <OverviewPage sources={sources} info={info} />;
    case "sales":
      return <SalesPage sources={sources} info={info} />;
    case "node":
      return <NodePage sources={sources} info={info} />;
    case "till":
      return <TillView info={info} />;
    case "docs":
      return <DocsView info={info} />;
  }
}

function NotFound({ path }: { readonly path: string }) {
  return (
    <section className="card broken">
      <h1>Nothing here</h1>
      <p>
        There is no view at <code>{path}</code>.
      </p>
      <p>
        <Link to="/">To the overview</Link>
      </p>
    </section>
  );
}
