/** What the thread that draws figures is asked. */
import type { Judgement } from '../../eval/judge.js';

export interface FiguresQuestion {
  /** Run folders, and what the page calls them. */
  runs: { path: string; name: string }[];
  evaluations: Judgement[];
}

/** A figure as a file of its own. */
export interface DrawnFigure {
  id: string;
  title: string;
  caption: string;
  /** Stands alone: colours, background, light and dark are in it. */
  svg: string;
}

export type FiguresAnswers = {
  figures: { input: FiguresQuestion; value: { figures: DrawnFigure[]; notes: string[] } };
  page: { input: FiguresQuestion; value: string };
};
