import type { TSchema } from 'typebox';
import Type from 'typebox';
import * as cluster from './messages/cluster.ts';
import * as component from './messages/component.ts';
import * as controller from './messages/controller.ts';
import * as dea from './messages/dea.ts';
import * as health from './messages/health.ts';
import * as log from './messages/log.ts';
import * as router from './messages/router.ts';
import * as staging from './messages/staging.ts';
import type { Subject } from './subject.ts';
import { Topology } from './topology.ts';

const subject = <P extends readonly string[], T extends TSchema, R extends TSchema = TSchema>(
  name: (...params: P) => string,
  payload: T,
  reply?: R,
): Subject<P, T, R> => ({ name, payload, reply: reply ?? (Type.Unknown() as unknown as R) });

const fixed =
  (name: string): (() => string) =>
  () =>
    name;

/** Every subject said or heard on the bus. The only place where subject names are spelled. */
export const subjects = {
  componentAnnounce: subject(fixed('vcap.component.announce'), component.ComponentAnnounce),
  componentDiscover: subject(fixed('vcap.component.discover'), component.Empty, component.ComponentAnnounce),

  routerStart: subject(fixed('router.start'), router.RouterStart),
  routerGreet: subject(fixed('router.greet'), component.Empty, router.RouterStart),
  routerRegister: subject(fixed('router.register'), router.RouterRegister),
  routerUnregister: subject(fixed('router.unregister'), router.RouterRegister),

  deaHello: subject(fixed('dea.start'), dea.DeaHello),
  deaAdvertise: subject(fixed('dea.advertise'), dea.DeaAdvertise),
  deaLocate: subject(fixed('dea.locate'), component.Empty),
  deaShutdown: subject(fixed('dea.shutdown'), dea.DeaShutdown),
  deaStatus: subject(fixed('dea.status'), component.Empty, dea.DeaStatus),
  deaEvacuate: subject((deaId: string) => `dea.${deaId}.evacuate`, component.Empty, dea.DeaEvacuating),
  deaStart: subject((deaId: string) => `dea.${deaId}.start`, dea.DeaStart),
  deaStop: subject(fixed('dea.stop'), dea.DeaStop),
  deaUpdate: subject(fixed('dea.update'), dea.DeaUpdate),
  deaFindDroplet: subject(fixed('dea.find.droplet'), dea.DeaFindDroplet, dea.DeaFoundInstance),
  deaHeartbeat: subject(fixed('dea.heartbeat'), dea.DeaHeartbeat),
  dropletExited: subject(fixed('droplet.exited'), dea.DropletExited),
  deaRefused: subject(fixed('stackato.dea.refused'), dea.DeaRefused),

  dropletUpdated: subject(fixed('droplet.updated'), health.DropletUpdated),
  healthManagerStart: subject(fixed('healthmanager.start'), component.Empty),
  healthManagerStatus: subject(fixed('healthmanager.status'), health.HealthStatusRequest, health.HealthStatusReply),
  healthManagerHealth: subject(fixed('healthmanager.health'), health.HealthHealthRequest, health.HealthHealthReply),
  healthStart: subject(fixed('health.start'), health.HealthStart),
  healthStop: subject(fixed('health.stop'), health.HealthStop),
  bulkCredentials: subject(fixed('cloudcontroller.bulk.credentials'), component.Empty, health.BulkCredentials),

  controllerPlaced: subject(fixed('stackato.controller.placed'), controller.ControllerPlaced),

  stagingAdvertise: subject(fixed('staging.advertise'), staging.StagingAdvertise),
  stagingLocate: subject(fixed('staging.locate'), component.Empty),
  stagingStart: subject((stagerId: string) => `staging.${stagerId}.start`, staging.StagingStart, staging.StagingSetup),
  stagingStop: subject(fixed('staging.stop'), staging.StagingStop),

  appLog: subject((appGuid: string) => `logyard.app.${appGuid}`, log.AppLog),
  logyardPeer: subject(fixed('logyard.peer'), log.LogPeer),
  logyardPeerApps: subject((id: string) => `logyard.peer.${id}.apps`, log.LogPeerApps, log.LogPeerAppsReply),
  logyardPeerRead: subject((id: string) => `logyard.peer.${id}.read`, log.LogPeerRead, log.LogPeerLines),
  drainStates: subject(fixed('logyard.drains'), component.Empty, log.DrainStates),
  systemLog: subject((process: string) => `logyard.system.${process}`, log.SystemLog),

  nodeStatus: subject(fixed('stackato.node.status'), cluster.NodeStatus),
  nodeFind: subject(fixed('stackato.node.find'), component.Empty, cluster.NodeStatus),
  configChanged: subject(fixed('stackato.config.changed'), cluster.ConfigChanged),
  configGet: subject(fixed('stackato.config.get'), component.Empty, cluster.ConfigSnapshot),
  secretGet: subject(fixed('stackato.secret.get'), cluster.SecretGet, cluster.SecretValue),
  topologyChanged: subject(fixed('stackato.topology.changed'), cluster.TopologyChanged),
  topologyGet: subject(fixed('stackato.topology.get'), component.Empty, Topology),
  nodeRun: subject((nodeId: string) => `stackato.node.${nodeId}.run`, cluster.NodeRun, cluster.NodeRunAccepted),
  nodeOutput: subject((commandId: string) => `stackato.command.${commandId}`, cluster.NodeOutput),
  certificatesChanged: subject(fixed('stackato.certificates.changed'), cluster.CertificatesChanged),
  certificatesOf: subject(
    (nodeId: string) => `stackato.node.${nodeId}.certificates`,
    component.Empty,
    cluster.NodeCertificates,
  ),
  certificateList: subject(fixed('stackato.certificates.list'), component.Empty, cluster.CertificateList),
  certificateSet: subject(fixed('stackato.certificates.set'), cluster.CertificateSet, cluster.CertificateSetReply),
  configSet: subject(fixed('stackato.config.set'), cluster.ConfigSet, cluster.ConfigSetReply),
} as const;
