/** What the History screen says. */

const en = {
  question: "Who changed what, when and why, and how do I get back?",
  none: "Nothing has changed yet. Every policy that ran will stand here, with who wrote it and why.",
  list: "Revisions, newest first",
  older: "Show older",
  by: (author: string) => `by ${author}`,
  hand: "found in the folder",
  causes: { folder: "edited by hand", api: "changed here", restore: "restored", revert: "reverted by itself" },
  noReason: "no reason given",
  pick: "Choose a revision to see what it changed.",
  noDiff: "No difference in meaning: comments or layout only, or one of the two is not valid any more.",
  first: "The first revision that is known.",
  restore: "Restore this",
  restoreTitle: (id: number) => `Make revision ${id} the policy again`,
  restoreText: "All policy files become what they were then. This is a new revision and can be undone the same way.",
  restored: (of: number, revision: number) => `Revision ${of} runs again, as revision ${revision}.`,
  runs: "runs now",
  text: "Texts",
  added: "new file",
  removed: "removed",
};

export type HistoryTexts = typeof en;

const ko: HistoryTexts = {
  question: "누가 언제 무엇을 왜 바꿨으며, 어떻게 되돌리는가?",
  none: "아직 바뀐 것이 없습니다. 실행된 모든 정책이 누가 왜 썼는지와 함께 여기에 남습니다.",
  list: "개정 목록, 최신 순",
  older: "이전 것 더 보기",
  by: (author) => `${author} 작성`,
  hand: "폴더에서 발견됨",
  causes: { folder: "직접 편집", api: "여기서 변경", restore: "복원", revert: "자동으로 되돌림" },
  noReason: "이유 없음",
  pick: "개정을 고르면 무엇이 바뀌었는지 보입니다.",
  noDiff: "의미의 차이가 없습니다. 주석이나 배치만 바뀌었거나, 둘 중 하나가 더는 유효하지 않습니다.",
  first: "알려진 첫 개정입니다.",
  restore: "이 개정으로 복원",
  restoreTitle: (id) => `개정 ${id}을 다시 정책으로`,
  restoreText: "모든 정책 파일이 그때의 내용이 됩니다. 새 개정으로 남고 같은 방법으로 되돌릴 수 있습니다.",
  restored: (of, revision) => `개정 ${of}이 개정 ${revision}으로 다시 실행됩니다.`,
  runs: "실행 중",
  text: "원문",
  added: "새 파일",
  removed: "삭제됨",
};

export const texts = { en, ko };
