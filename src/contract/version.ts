/** Version of this platform. */
export const platformVersion = '0.1.0';

/** Level of the Cloud Foundry v3 API that is advertised; gates what the stock `cf` tries. */
export const apiVersion = '3.223.0';
