import type { World } from './world.ts';

/** What the status page counts. */
export class Counts {
  heartbeats = 0;
  exits = 0;
  updates = 0;
  statusAsked = 0;
  healthAsked = 0;
  startsSent = 0;
  stopsSent = 0;
  analysisMs = 0;
  bulkMs = 0;
}

/** The health manager's own keys of `/varz`. */
export function varzOf(world: World, counts: Counts, isFlapping: (crashes: number) => boolean) {
  const total = { apps: 0, started_apps: 0, instances: 0, started_instances: 0 };
  const running = { apps: 0, crashes: 0, running_instances: 0, missing_instances: 0, flapping_instances: 0 };
  for (const { desired, actual, crashes } of world.allFacts()) {
    if (!desired) continue;
    const isStarted = desired.state === 'STARTED';
    total.apps += 1;
    total.instances += desired.instances;
    const alive = new Set(actual.filter(({ state }) => state === 'RUNNING').map(({ index }) => index)).size;
    running.running_instances += alive;
    running.crashes += actual.filter(({ state }) => state === 'CRASHED').length;
    running.flapping_instances += [...(crashes?.values() ?? [])].filter(({ count }) => isFlapping(count)).length;
    if (!isStarted) continue;
    total.started_apps += 1;
    total.started_instances += desired.instances;
    running.apps += alive > 0 ? 1 : 0;
    running.missing_instances += Math.max(0, desired.instances - alive);
  }
  return {
    total,
    running,
    total_apps: total.apps,
    total_instances: total.instances,
    running_instances: running.running_instances,
    down_instances: running.missing_instances,
    missing_instances: running.missing_instances,
    crashed_instances: running.crashes,
    flapping_instances: running.flapping_instances,
    queue_length: 0,
    heartbeat_msgs_received: counts.heartbeats,
    droplet_exited_msgs_received: counts.exits,
    droplet_updated_msgs_received: counts.updates,
    healthmanager_status_msgs_received: counts.statusAsked,
    healthmanager_health_msgs_received: counts.healthAsked,
    health_start_messages_sent: counts.startsSent,
    health_stop_messages_sent: counts.stopsSent,
    analysis_loop_duration: counts.analysisMs / 1000,
    bulk_update_loop_duration: counts.bulkMs / 1000,
  };
}
