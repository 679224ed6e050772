// A real S3-compatible server for tests: Ceph's object gateway over one monitor and one object store in memory, from Debian's
// packages, unpacked and started without root. Every port is on loopback.
import { spawn, execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { debianTool } from './debian-tools.mjs';

const run = promisify(execFile);

const COMMAND_TIMEOUT_MS = 60_000;
/** A busy machine takes its time; ten seconds are usual. */
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 5_000;

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => resolve(true) || socket.destroy())
      .once('error', () => resolve(false));
  });

const configuration = ({ folder, library, monitor, gateway, fsid }) => `[global]
fsid = ${fsid}
mon_host = [v2:127.0.0.1:${monitor}/0]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = ${folder}
admin_socket =
pid_file =
log_file =
log_to_stderr = false
err_to_stderr = true
mon_cluster_log_file =
keyring = ${folder}/keyring
mon_data = ${folder}/mon
osd_data = ${folder}/osd
rgw_data = ${folder}
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_dir = ${library}/rados-classes
erasure_code_dir = ${library}/ceph/erasure-code
plugin_dir = ${library}/ceph
osd_class_load_list = *
osd_class_default_list = *
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_heartbeat_grace = 600
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_tick_interval = 1
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
rgw_frontends = beast endpoint=127.0.0.1:${gateway}
rgw_thread_pool_size = 32
rgw_run_sync_thread = false
rgw_enable_ops_log = false
rgw_enable_usage_log = false
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 5
`;

const KEYS = ['mon.', 'client.admin', 'osd.0'];
const CAPABILITIES = ['mon', 'osd', 'mgr'].flatMap((daemon) => ['--cap', daemon, 'allow *']);

/** Whether its packages are here or can be fetched. @throws Error saying what is missing. */
const programs = async () => {
  const { path, env } = await debianTool('radosgw');
  const bin = dirname(path);
  return { env: { ...env, PATH: `${bin}:${env.PATH ?? ''}` }, library: join(dirname(bin), 'lib', 'x86_64-linux-gnu') };
};

/** Keys, maps and folders of a cluster of one, as its configuration names them. */
const format = async (folder, fsid, monitor, env) => {
  const call = (program, ...args) => run(program, args, { env, timeout: COMMAND_TIMEOUT_MS });
  for (const [at, name] of KEYS.entries())
    await call('ceph-authtool', ...(at === 0 ? ['--create-keyring'] : []), join(folder, 'keyring'), '--gen-key', '-n', name, ...CAPABILITIES); // prettier-ignore
  await call('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v2:127.0.0.1:${monitor}]`, join(folder, 'monmap')); // prettier-ignore
  // With it in the first map, nobody has to be asked to register the object store.
  await call('osdmaptool', '--createsimple', '1', '--clobber', join(folder, 'osdmap'));
  const maps = ['--monmap', join(folder, 'monmap'), '--osdmap', join(folder, 'osdmap')];
  await call('ceph-mon', '--mkfs', '-i', 'a', ...maps, '--keyring', join(folder, 'keyring'));
};

/** A port that was free may be another program's by the time it is used. */
const ATTEMPTS = 3;

/**
 * Starts the server with one user; it is empty.
 * @returns its endpoint and credentials. `pause` ends the gateway and `resume` starts it again, its objects kept; `stop` ends all
 * and leaves nothing.
 * @throws Error when the packages can't be had, or it does not come up.
 */
export const startRgw = async () => {
  const found = await programs();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(found);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
};

const startOnce = async ({ env: base, library }) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-rgw-'));
  for (const name of ['mon', 'osd']) mkdirSync(join(folder, name));
  const [monitor, gateway, fsid] = [await freePort(), await freePort(), randomUUID()];
  const env = { ...base, CEPH_CONF: join(folder, 'ceph.conf'), LC_ALL: 'C' };
  writeFileSync(env.CEPH_CONF, configuration({ folder, library, monitor, gateway, fsid }));
  const running = new Map();
  // Whoever ends without stopping it leaves no server behind.
  const onExit = () => running.forEach(({ child }) => child.kill('SIGKILL'));
  process.once('exit', onExit);
  let said = '';
  const start = (program, ...args) => {
    const child = spawn(program, ['-f', ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (data) => (said = (said + data).slice(-4_000)));
    const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
    running.set(program, { child, ended });
  };
  const end = async (program) => {
    const server = running.get(program);
    if (server === undefined) return;
    running.delete(program);
    server.child.kill('SIGTERM');
    const late = setTimeout(() => server.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await server.ended;
    clearTimeout(late);
  };
  const stop = async () => {
    for (const program of ['radosgw', 'ceph-osd', 'ceph-mon']) await end(program);
    process.off('exit', onExit);
    rmSync(folder, { recursive: true, force: true });
  };
  const resume = async () => {
    start('radosgw', '-n', 'client.admin');
    const deadline = performance.now() + START_TIMEOUT_MS;
    const { child } = running.get('radosgw');
    const isOver = () => performance.now() > deadline || child.exitCode !== null || child.signalCode !== null;
    while (!(await answers(gateway)) && !isOver()) await sleep(50);
    // Or it may be somebody else who answers there.
    if (isOver()) throw new Error(`radosgw does not answer: ${said}`);
  };
  const accessKeyId = `HF${randomBytes(9).toString('hex').toUpperCase()}`;
  const secretAccessKey = randomBytes(20).toString('hex');
  try {
    await format(folder, fsid, monitor, env);
    start('ceph-mon', '-i', 'a');
    // It asks the monitor for its map.
    const mkfs = ['--mkfs', '-i', '0', '--osd-uuid', randomUUID()];
    await run('ceph-osd', mkfs, { env, timeout: START_TIMEOUT_MS });
    start('ceph-osd', '-i', '0');
    const user = ['user', 'create', '--uid=holdfast', '--display-name=holdfast'];
    const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
    await run('radosgw-admin', [...user, ...keys], { env, timeout: START_TIMEOUT_MS });
    await resume();
  } catch (error) {
    await stop();
    throw error;
  }
  const pause = () => end('radosgw');
  return { endpoint: `http://127.0.0.1:${gateway}`, accessKeyId, secretAccessKey, pause, resume, stop };
};
