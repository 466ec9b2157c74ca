export { NodeGlance } from "./NodeGlance.tsx";
export { NodeView } from "./NodeView.tsx";
