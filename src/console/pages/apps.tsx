import { Anchor, Code, Group, Loader, Paper, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { api } from '../api.ts';
import { appState } from '../app-state.ts';
import type { App, Process, Route } from '../resources.ts';
import { Problem } from '../widgets/problem.tsx';
import { StateBadge } from '../widgets/state-badge.tsx';

/** The apps of one space. */
export function AppsPage() {
  const navigate = useNavigate();
  const organizations = useQuery({ queryKey: ['organizations'], queryFn: api.organizations, refetchInterval: 30_000 });
  const spaces = useQuery({ queryKey: ['spaces'], queryFn: api.spaces, refetchInterval: 30_000 });
  const { space: chosen } = useParams();
  const space = chosen ?? spaces.data?.[0]?.guid;
  const orgName = (guid: string) => organizations.data?.find((org) => org.guid === guid)?.name ?? '';
  const choices = (spaces.data ?? []).map((one) => ({
    value: one.guid,
    label: `${orgName(one.relationships.organization.data.guid)} / ${one.name}`,
  }));
  return (
    <Stack maw={1100} mx="auto">
      <Group justify="space-between" align="flex-end">
        <Title order={2}>Applications</Title>
        <Select
          aria-label="Space"
          w={320}
          data={choices}
          value={space ?? null}
          onChange={(guid) => guid && navigate(`/spaces/${guid}`)}
          searchable
          allowDeselect={false}
        />
      </Group>
      <Problem error={spaces.error ?? organizations.error} />
      {spaces.isPending ? <Loader /> : null}
      {spaces.data?.length === 0 ? <Text>You have no space yet; ask an administrator for a role in one.</Text> : null}
      {space ? <AppList space={space} /> : null}
    </Stack>
  );
}

function AppList({ space }: { space: string }) {
  const [filter, setFilter] = useState('');
  const apps = useQuery({ queryKey: ['apps', space], queryFn: () => api.apps(space) });
  const processes = useQuery({ queryKey: ['processes', space], queryFn: () => api.spaceProcesses(space) });
  const routes = useQuery({ queryKey: ['routes', space], queryFn: () => api.spaceRoutes(space) });
  if (apps.isPending) return <Loader />;
  const shown = (apps.data ?? []).filter((app) => app.name.toLowerCase().includes(filter.toLowerCase()));
  return (
    <>
      <Problem error={apps.error} />
      {apps.data?.length === 0 ? (
        <Paper withBorder p="xl">
          <Text mb="xs">No applications here yet. In a folder with source code, type:</Text>
          <Code block>
            stackato target {window.location.host.replace(/^console\./, 'api.')}
            {'\n'}stackato login{'\n'}stackato push
          </Code>
        </Paper>
      ) : (
        <Paper withBorder p="md">
          <TextInput
            placeholder="Filter by name"
            aria-label="Filter by name"
            mb="sm"
            value={filter}
            onChange={(e) => setFilter(e.currentTarget.value)}
          />
          <Table highlightOnHover verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Instances</Table.Th>
                <Table.Th>Memory</Table.Th>
                <Table.Th>Address</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((app) => (
                <AppRow key={app.guid} app={app} processes={processes.data ?? []} routes={routes.data ?? []} />
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
    </>
  );
}

function AppRow(props: { app: App; processes: readonly Process[]; routes: readonly Route[] }) {
  const navigate = useNavigate();
  const { app } = props;
  const mine = props.processes.filter((process) => process.relationships.app.data.guid === app.guid);
  const route = props.routes.find((one) => one.destinations.some((to) => to.app.guid === app.guid));
  const count = (process: Process) =>
    `${process.process_instances?.filter((one) => one.state === 'RUNNING').length ?? '?'}/${process.instances}`;
  return (
    <Table.Tr className="row-link" onClick={() => navigate(`/apps/${app.guid}`)}>
      <Table.Td>
        <Anchor href={`/apps/${app.guid}`} fw={500} onClick={(e) => e.preventDefault()}>
          {app.name}
        </Anchor>
      </Table.Td>
      <Table.Td>
        <StateBadge state={appState(app, mine)} />
      </Table.Td>
      <Table.Td>{mine.map((process) => `${process.type} ${count(process)}`).join(', ')}</Table.Td>
      <Table.Td>{mine.map((process) => `${process.memory_in_mb} MB`).join(', ')}</Table.Td>
      <Table.Td>
        {route ? (
          <Anchor
            href={`${window.location.protocol}//${route.url}`}
            target="_blank"
            rel="noreferrer"
            onClick={(e) => e.stopPropagation()}
          >
            {route.url}
          </Anchor>
        ) : (
          <Text c="dimmed">none</Text>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
