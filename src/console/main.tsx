import '@mantine/core/styles.css';
import './console.css';
import { createTheme, MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter, Route, Routes } from 'react-router';
import { ApiError } from './api.ts';
import { AppPage } from './pages/app.tsx';
import { AppsPage } from './pages/apps.tsx';
import { LoginPage } from './pages/login.tsx';
import { NodesPage } from './pages/nodes.tsx';
import { getSession, onSessionChange } from './session.ts';
import { Frame } from './widgets/frame.tsx';

const theme = createTheme({
  primaryColor: 'cyan',
  primaryShade: 8,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SFMono-Regular", Menlo, "Liberation Mono", monospace',
  defaultRadius: 'md',
});

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      refetchInterval: 3000,
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status < 500),
    },
  },
});

function Console() {
  const session = useSyncExternalStore(onSessionChange, getSession);
  if (!session) return <LoginPage />;
  return (
    <Frame>
      <Routes>
        <Route path="/" element={<AppsPage />} />
        <Route path="/spaces/:space" element={<AppsPage />} />
        <Route path="/apps/:app" element={<AppPage />} />
        <Route path="/nodes" element={<NodesPage />} />
        <Route path="*" element={<AppsPage />} />
      </Routes>
    </Frame>
  );
}

const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Console />
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
