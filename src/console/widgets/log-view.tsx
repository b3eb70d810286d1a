import { Group, Switch, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { followLog } from '../api.ts';
import type { LogEvent } from '../resources.ts';

const KEPT = 1000;
const RETRY_MS = 2000;

/** The live log of an app; keeps the newest lines and follows unless the reader scrolls up. */
export function LogView({ app }: { app: string }) {
  const [lines, setLines] = useState<readonly (LogEvent & { key: number })[]>([]);
  const [isLive, setLive] = useState(false);
  const [follows, setFollows] = useState(true);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const stop = new AbortController();
    let key = 0;
    const add = (more: readonly LogEvent[]) => {
      setLive(true);
      const keyed = more.map((line) => ({ ...line, key: key++ }));
      setLines((before) => [...before, ...keyed].slice(-KEPT));
    };
    const run = async () => {
      while (!stop.signal.aborted) {
        setLines([]);
        try {
          setLive(true);
          await followLog(app, 400, add, stop.signal);
        } catch (error) {
          if (stop.signal.aborted) return;
          console.warn('the log stream ended', error);
        }
        setLive(false);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    };
    void run();
    return () => stop.abort();
  }, [app]);

  useEffect(() => {
    if (follows && lines.length > 0) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [lines, follows]);

  const onScroll = () => {
    const { scrollTop = 0, clientHeight = 0, scrollHeight = 0 } = box.current ?? {};
    setFollows(scrollTop + clientHeight >= scrollHeight - 24);
  };

  return (
    <>
      <Group justify="space-between" mb="xs">
        <Text size="sm" c="dimmed">
          {isLive ? 'Live' : 'Connecting…'}
        </Text>
        <Switch size="xs" label="Follow" checked={follows} onChange={(e) => setFollows(e.currentTarget.checked)} />
      </Group>
      <section className="log" ref={box} onScroll={onScroll} aria-label="Application log">
        {lines.length === 0 ? <span className="log-time">No lines yet.</span> : null}
        {lines.map((line) => (
          <div key={line.key} className={line.type === 'ERR' ? 'log-error' : undefined}>
            <span className="log-time">{formatTime(line.timestamp)} </span>
            <span className="log-source">
              [{line.source}/{line.instance}]{' '}
            </span>
            {line.text}
          </div>
        ))}
      </section>
    </>
  );
}

function formatTime(timestampNs: string): string {
  return new Date(Number(BigInt(timestampNs) / 1_000_000n)).toLocaleTimeString();
}
