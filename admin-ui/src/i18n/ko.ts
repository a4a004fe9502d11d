/** 한국어 문구. */

import type { Texts } from "./en";

const ko: Texts = {
  skip: "본문으로 건너뛰기",
  language: "English",
  languageLabel: "View in English",
  now: "현황",
  question: "지금 거절되는 호출이 있는가, 왜인가?",
  logout: "로그아웃",

  ready: "준비됨",
  notReady: "준비되지 않음",
  version: "버전",
  revision: "정책 개정",
  uptime: "가동 시간",
  workers: "워커",
  connections: "연결",
  cacheStore: "캐시",
  policyProblems: (count) =>
    `정책 파일에 문제가 ${count}개 있습니다. 실행 중인 정책은 그대로 유지되며, “sumun check”가 문제마다 줄 번호를 알려 줍니다.`,

  loading: "첫 수치를 기다리는 중 …",
  noDataFor: (seconds) => `${seconds}초 동안 새 데이터가 없습니다. 아래 수치는 오래된 것입니다.`,
  unreachable: "게이트웨이가 응답하지 않습니다. 매초 다시 시도합니다.",

  routes: "라우트",
  routesCaption: "시작 이후 허용·거절된 호출 수를 보여 주는 라우트 목록. 많이 거절된 순서",
  route: "라우트",
  rate: "초당 호출",
  inFlight: "처리 중 / 한도",
  admitted: "허용",
  refused: "거절",
  cacheHits: "캐시 적중",
  latency: "p50 / p99 ms",
  signals: "신호",
  noLimit: "한도 없음",
  none: "없음",
  notCached: "캐시 안 함",
  wouldRefuse: (count) => `섀도에서 ${count}`,
  refusedNow: "지금 거절 중",
  classes: { interactive: "대화형", default: "기본", batch: "배치", bulk: "대량" },
  modes: { enforce: "적용", shadow: "섀도", off: "끔" },
  reasons: {
    rps_over: "요청률",
    cpu_over: "CPU",
    workers_over: "워커",
    quota_full: "할당량",
  },
  states: { fresh: "최신", stale: "오래됨", expired: "만료", absent: "없음" },
  over: "임계값 초과",

  capacity: "함수 동시 실행",
  poolSummary: (used, total) => `전체 ${total} 중 ${used} 사용`,
  unreserved: "예약 안 됨",
  reservedUse: (used, reserved) => `예약 ${reserved} 중 ${used} 사용`,
  sharedUse: (used) => `${used} 사용, 예약 안 된 풀에서`,
  peak: "최고",
  throttled: "제한됨",
  paused: "일시 정지",

  emptyTitle: "아직 라우트가 없습니다",
  emptyText:
    "정책에 라우트가 있어야 게이트웨이가 호출을 전달합니다. 아래 내용을 정책 폴더의 파일로 저장하면 바로 적용됩니다.",
  emptyThen: "그다음 게이트웨이를 통해 호출하면 여기에 나타납니다:",
  emptyDemo: "모든 것이 움직이는 모습을 먼저 보려면:",

  loginTitle: "이 게이트웨이의 링크로 로그인하세요",
  loginText:
    "게이트웨이가 처음 시작할 때 로그인 링크를 출력했습니다. 상태 폴더에도 있으니 그 파일의 내용을 입력하세요.",
  loginFile: ".sumun/admin.token",
  token: "토큰",
  login: "로그인",
  tokenWrong: "이 게이트웨이가 모르는 토큰입니다.",
  tokenMalformed: "토큰이 아닙니다. 토큰은 영문자, 숫자, -, _ 로 된 한 줄입니다.",
};

export default ko;
