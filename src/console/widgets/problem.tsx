import { Alert } from '@mantine/core';

/** An error where the user looks, in the API's own words. */
export function Problem({ error }: { error: Error | null }) {
  if (!error) return null;
  return (
    <Alert color="red" variant="light" title="That did not work" role="alert">
      {error.message}
    </Alert>
  );
}
