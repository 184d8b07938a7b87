/** What a container uses at a moment, and used at the one before: an element of GET /containers/NAME/stats. */
export interface StatsDocument {
  /** With a slash in front. */
  name: string;
  id: string;
  /** RFC 3339; docker's zero time where nothing was read. */
  read: string;
  preread: string;
  pids_stats: { current?: number; limit?: number };
  blkio_stats: {
    io_service_bytes_recursive: BlockEntry[] | null;
    io_serviced_recursive: BlockEntry[] | null;
    io_queue_recursive: null;
    io_service_time_recursive: null;
    io_wait_time_recursive: null;
    io_merged_recursive: null;
    io_time_recursive: null;
    sectors_recursive: null;
  };
  num_procs: 0;
  storage_stats: Record<string, never>;
  cpu_stats: CpuStats;
  precpu_stats: CpuStats;
  memory_stats: MemoryStats;
  networks?: Record<string, NetworkStats>;
}

export interface BlockEntry {
  major: number;
  minor: number;
  /** "read" and "write", or with capitals: as the kernel has it. */
  op: string;
  value: number;
}

/** Nanoseconds of processor time. */
export interface CpuStats {
  cpu_usage: { total_usage: number; usage_in_kernelmode: number; usage_in_usermode: number };
  /** Of the whole machine. */
  system_cpu_usage?: number;
  online_cpus?: number;
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}

/** Bytes. `stats` is memory.stat. */
export interface MemoryStats {
  usage?: number;
  max_usage?: number;
  failcnt?: number;
  limit?: number;
  stats?: Record<string, number>;
}

export interface NetworkStats {
  rx_bytes: number;
  rx_packets: number;
  rx_errors: number;
  rx_dropped: number;
  tx_bytes: number;
  tx_packets: number;
  tx_errors: number;
  tx_dropped: number;
}

/** One look at a container. */
export interface Usage {
  read: string;
  cpu: CpuStats;
  memory: MemoryStats;
  pids: StatsDocument["pids_stats"];
  serviceBytes: BlockEntry[];
  serviced: BlockEntry[];
  networks?: Record<string, NetworkStats>;
}

const zeroTime = "0001-01-01T00:00:00Z";
const noCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/** @param now undefined of one that does not run */
export function statsDocument(
  { id, name }: { id: string; name: string },
  now: Usage | undefined,
  before: Usage | undefined,
): StatsDocument {
  return {
    name: `/${name}`,
    id,
    read: now?.read ?? zeroTime,
    preread: before?.read ?? zeroTime,
    pids_stats: now?.pids ?? {},
    blkio_stats: {
      io_service_bytes_recursive: now?.serviceBytes ?? null,
      io_serviced_recursive: now?.serviced ?? null,
      ...{ io_queue_recursive: null, io_service_time_recursive: null, io_wait_time_recursive: null },
      ...{ io_merged_recursive: null, io_time_recursive: null, sectors_recursive: null },
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: now?.cpu ?? noCpu,
    precpu_stats: before?.cpu ?? noCpu,
    memory_stats: now?.memory ?? {},
    ...(now?.networks && { networks: now.networks }),
  };
}

/** What docker's client makes of the document. */
export interface Figures {
  /** 100 for each processor that is busy all the time. */
  cpuPercent: number;
  memory_bytes: number;
  memoryLimit_bytes: number;
  memoryPercent: number;
  received_bytes: number;
  sent_bytes: number;
  read_bytes: number;
  written_bytes: number;
  pids: number;
}

export function figuresOf(stats: StatsDocument): Figures {
  const { memory_stats: memory, networks = {}, pids_stats, blkio_stats } = stats;
  const used = usedMemory(memory);
  const limit = memory.limit ?? 0;
  const io = (letter: string) =>
    sum(
      (blkio_stats.io_service_bytes_recursive ?? []).filter(({ op }) => op[0]?.toLowerCase() === letter),
      "value",
    );
  const interfaces = Object.values(networks);
  return {
    cpuPercent: cpuPercent(stats),
    memory_bytes: used,
    memoryLimit_bytes: limit,
    memoryPercent: limit > 0 ? (used / limit) * 100 : 0,
    received_bytes: sum(interfaces, "rx_bytes"),
    sent_bytes: sum(interfaces, "tx_bytes"),
    read_bytes: io("r"),
    written_bytes: io("w"),
    pids: pids_stats.current ?? 0,
  };
}

function cpuPercent({ cpu_stats: now, precpu_stats: before }: StatsDocument): number {
  const own = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  // One look alone does not say.
  if (before.system_cpu_usage === undefined) return 0;
  const all = (now.system_cpu_usage ?? 0) - before.system_cpu_usage;
  return own > 0 && all > 0 ? (own / all) * (now.online_cpus ?? 0) * 100 : 0;
}

/** Without what of the page cache nobody has used lately: v1 has the sum of all groups below under a name of its own. */
function usedMemory({ usage = 0, stats = {} }: MemoryStats): number {
  const cache = stats.total_inactive_file ?? stats.inactive_file ?? 0;
  return cache < usage ? usage - cache : usage;
}

function sum<K extends string>(list: readonly Record<K, number>[], key: K): number {
  return list.reduce((total, each) => total + each[key], 0);
}
