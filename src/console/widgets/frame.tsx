import { Anchor, AppShell, Button, Group, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link, useLocation } from 'react-router';
import { logOut, userName } from '../session.ts';

/** The frame around every page: name, the two places to go, who is signed in. */
export function Frame({ children }: { children: ReactNode }) {
  const { pathname } = useLocation();
  const tab = (to: string, label: string, isHere: boolean) => (
    <Anchor component={Link} to={to} fw={isHere ? 600 : 400} c={isHere ? 'cyan.8' : 'dimmed'}>
      {label}
    </Anchor>
  );
  return (
    <AppShell header={{ height: 56 }} padding="lg">
      <AppShell.Header>
        <Group h="100%" px="lg" justify="space-between" wrap="nowrap">
          <Group gap="xl" wrap="nowrap">
            <Group gap="xs" wrap="nowrap">
              <img src="/favicon.svg" width={26} height={26} alt="" />
              <Title order={1} size="h4">
                Stackato
              </Title>
            </Group>
            {tab('/', 'Applications', pathname !== '/nodes')}
            {tab('/nodes', 'Nodes', pathname === '/nodes')}
          </Group>
          <Group gap="md" wrap="nowrap">
            <Text size="sm" c="dimmed" visibleFrom="xs">
              {userName()}
            </Text>
            <Button size="xs" variant="default" onClick={logOut}>
              Log out
            </Button>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main>{children}</AppShell.Main>
    </AppShell>
  );
}
