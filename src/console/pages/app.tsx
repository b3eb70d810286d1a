import { Anchor, Button, Group, Loader, NumberInput, Paper, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { api } from '../api.ts';
import type { InstanceStats, Process } from '../resources.ts';
import { LogView } from '../widgets/log-view.tsx';
import { Problem } from '../widgets/problem.tsx';
import { StateBadge } from '../widgets/state-badge.tsx';

/** One app: its state, instances, scale, and live log. */
export function AppPage() {
  const { app: guid = '' } = useParams();
  const queries = useQueryClient();
  const app = useQuery({ queryKey: ['app', guid], queryFn: () => api.app(guid) });
  const processes = useQuery({ queryKey: ['app-processes', guid], queryFn: () => api.processes(guid) });
  const routes = useQuery({ queryKey: ['app-routes', guid], queryFn: () => api.routes(guid) });
  const act = useMutation({
    mutationFn: (action: 'start' | 'stop' | 'restart') => api[action](guid),
    onSettled: () => queries.invalidateQueries(),
  });
  if (app.isPending) return <Loader />;
  if (!app.data) return <Problem error={app.error} />;
  const isStarted = app.data.state === 'STARTED';
  const button = (action: 'start' | 'stop' | 'restart', label: string) => (
    <Button
      variant={action === 'start' ? 'filled' : 'default'}
      loading={act.isPending && act.variables === action}
      disabled={act.isPending}
      onClick={() => act.mutate(action)}
    >
      {label}
    </Button>
  );
  return (
    <Stack maw={1100} mx="auto">
      <Group justify="space-between">
        <div>
          <Anchor component={Link} to={`/spaces/${app.data.relationships.space.data.guid}`} size="sm">
            ← Applications
          </Anchor>
          <Group gap="sm">
            <Title order={2}>{app.data.name}</Title>
            <StateBadge state={app.data.state} />
          </Group>
        </div>
        <Group gap="xs">
          {isStarted ? button('restart', 'Restart') : button('start', 'Start')}
          {isStarted ? button('stop', 'Stop') : null}
        </Group>
      </Group>
      <Problem error={act.error} />
      <Group gap="lg">
        {(routes.data ?? []).map((route) => (
          <Anchor key={route.guid} href={`${window.location.protocol}//${route.url}`} target="_blank" rel="noreferrer">
            {route.url}
          </Anchor>
        ))}
        {routes.data?.length === 0 ? <Text c="dimmed">No routes</Text> : null}
      </Group>
      {(processes.data ?? []).map((process) => (
        <ProcessPanel key={process.guid} process={process} />
      ))}
      <Paper withBorder p="md">
        <Title order={3} size="h4" mb="xs">
          Log
        </Title>
        <LogView app={guid} />
      </Paper>
    </Stack>
  );
}

function ProcessPanel({ process }: { process: Process }) {
  const queries = useQueryClient();
  const [wanted, setWanted] = useState<number | string>(process.instances);
  const stats = useQuery({
    queryKey: ['stats', process.guid],
    queryFn: () => api.stats(process.guid),
    refetchInterval: 1500,
  });
  const scale = useMutation({
    mutationFn: () => api.scale(process.guid, { instances: Number(wanted) }),
    onSettled: () => queries.invalidateQueries(),
  });
  const isChanged = wanted !== '' && Number(wanted) !== process.instances;
  return (
    <Paper withBorder p="md">
      <Group justify="space-between" mb="sm" align="flex-end">
        <div>
          <Title order={3} size="h4">
            {process.type}
          </Title>
          <Text size="sm" c="dimmed">
            {process.instances} × {process.memory_in_mb} MB memory, {process.disk_in_mb} MB disk
          </Text>
        </div>
        <Group gap="xs" align="flex-end">
          <NumberInput label="Instances" min={0} max={100} w={110} value={wanted} onChange={setWanted} />
          <Button variant="light" disabled={!isChanged} loading={scale.isPending} onClick={() => scale.mutate()}>
            Scale
          </Button>
        </Group>
      </Group>
      <Problem error={scale.error ?? stats.error} />
      <Table verticalSpacing="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>#</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Up</Table.Th>
            <Table.Th>CPU</Table.Th>
            <Table.Th>Memory</Table.Th>
            <Table.Th>Disk</Table.Th>
            <Table.Th>Details</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {(stats.data ?? []).map((one) => (
            <InstanceRow key={one.index} instance={one} />
          ))}
        </Table.Tbody>
      </Table>
      {stats.data?.length === 0 ? (
        <Text size="sm" c="dimmed" pt="xs">
          No instances.
        </Text>
      ) : null}
    </Paper>
  );
}

function InstanceRow({ instance }: { instance: InstanceStats }) {
  const { usage } = instance;
  return (
    <Table.Tr>
      <Table.Td>{instance.index}</Table.Td>
      <Table.Td>
        <StateBadge state={instance.state} />
      </Table.Td>
      <Table.Td>{instance.state === 'RUNNING' ? formatDuration(instance.uptime) : ''}</Table.Td>
      <Table.Td>{usage.cpu === undefined ? '' : `${(usage.cpu * 100).toFixed(1)} %`}</Table.Td>
      <Table.Td>{share(usage.mem, instance.mem_quota)}</Table.Td>
      <Table.Td>{share(usage.disk, instance.disk_quota)}</Table.Td>
      <Table.Td>{instance.details ?? ''}</Table.Td>
    </Table.Tr>
  );
}

function share(bytes: number | undefined, quota: number | null): string {
  const mb = (value: number) => `${(value / 1_048_576).toFixed(value < 10_485_760 ? 1 : 0)} MB`;
  if (bytes === undefined) return '';
  return quota ? `${mb(bytes)} of ${mb(quota)}` : mb(bytes);
}

function formatDuration(s: number): string {
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
