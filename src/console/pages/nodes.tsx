import { Badge, Group, Loader, Paper, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api } from '../api.ts';
import { Problem } from '../widgets/problem.tsx';
import { StateBadge } from '../widgets/state-badge.tsx';

/** The machines of the platform: their roles and processes. Administrators only; the API says so to others. */
export function NodesPage() {
  const nodes = useQuery({ queryKey: ['nodes'], queryFn: api.nodes });
  return (
    <Stack maw={1100} mx="auto">
      <Title order={2}>Nodes</Title>
      <Problem error={nodes.error} />
      {nodes.isPending ? <Loader /> : null}
      {(nodes.data ?? []).map((node) => (
        <Paper key={node.node} withBorder p="md">
          <Group justify="space-between" mb="sm">
            <Group gap="sm">
              <Title order={3} size="h4">
                {node.address}
              </Title>
              <Text size="sm" c="dimmed">
                version {node.version}
              </Text>
            </Group>
            <Group gap={6}>
              {node.roles.map((role) => (
                <Badge key={role} variant="light">
                  {role}
                </Badge>
              ))}
            </Group>
          </Group>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Process</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Process id</Table.Th>
                <Table.Th>Up</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {node.processes.map((process) => (
                <Table.Tr key={process.name}>
                  <Table.Td>{process.name}</Table.Td>
                  <Table.Td>
                    <StateBadge state={process.state === 'RUNNING' && process.ready ? 'READY' : process.state} />
                  </Table.Td>
                  <Table.Td>{process.pid || ''}</Table.Td>
                  <Table.Td>{process.pid ? `${Math.floor(process.uptime_s / 60)} min` : ''}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      ))}
    </Stack>
  );
}
