import { proxyConformance } from '../proxy.conformance.ts';
import { openHaproxyRig } from './rig.conformance.ts';

proxyConformance('HAProxy', () => openHaproxyRig());
