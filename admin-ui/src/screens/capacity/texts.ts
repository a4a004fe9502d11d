/** What the Capacity screen says. */

const en = {
  question: "Who has how much of the gateway's concurrency, and is it enough?",
  none: "No functions yet. A function names a part of a service whose calls get slots of their own:",
  caption: "Functions with their reservations and use",
  function: "Function",
  upstream: "Upstream",
  reserved: "Reserved",
  inUse: "In use",
  peak: "Peak",
  throttled: "Throttled",
  shared: "shares the unreserved pool",
  set: "Set",
  pause: "Pause",
  release: "Release",
  slots: (name: string) => `Slots reserved for ${name}`,
  setTitle: (name: string, slots: number) => `Reserve ${slots} for ${name}`,
  pauseTitle: (name: string) => `Pause ${name}: every call of it is refused`,
  releaseTitle: (name: string) => `Release the reservation of ${name}`,
  effect: (before: string, after: string, left: number) => `${before} → ${after}; ${left} stay unreserved.`,
  tooMuch: (left: number) => `Only ${left} could still be reserved: the rest must stay unreserved.`,
  written: (file: string, revision: number) => `Written to ${file}; revision ${revision} runs.`,
};

export type CapacityTexts = typeof en;

const ko: CapacityTexts = {
  question: "게이트웨이의 동시 실행을 누가 얼마나 가지고 있으며, 충분한가?",
  none: "아직 함수가 없습니다. 함수는 서비스의 일부에 이름을 붙여 그 호출만의 슬롯을 줍니다:",
  caption: "함수와 예약, 사용량",
  function: "함수",
  upstream: "업스트림",
  reserved: "예약",
  inUse: "사용 중",
  peak: "최고",
  throttled: "제한됨",
  shared: "예약되지 않은 풀을 공유",
  set: "설정",
  pause: "일시 정지",
  release: "해제",
  slots: (name) => `${name}에 예약할 슬롯`,
  setTitle: (name, slots) => `${name}에 ${slots} 예약`,
  pauseTitle: (name) => `${name} 일시 정지: 모든 호출을 거절합니다`,
  releaseTitle: (name) => `${name}의 예약 해제`,
  effect: (before, after, left) => `${before} → ${after}; 예약되지 않은 슬롯 ${left}개가 남습니다.`,
  tooMuch: (left) => `${left}까지만 예약할 수 있습니다. 나머지는 예약되지 않은 채 남아야 합니다.`,
  written: (file, revision) => `${file}에 기록했습니다. 개정 ${revision}이 실행 중입니다.`,
};

export const texts = { en, ko };
