/** What a person is told while the stack is being set up. */
export type Progress =
  /** Said once and kept. */
  | { readonly kind: 'note'; readonly text: string }
  /** What is going on now; each replaces the one before. */
  | { readonly kind: 'step'; readonly text: string };

export type OnProgress = (progress: Progress) => void;
