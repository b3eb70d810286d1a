const everyMs = Number(process.env.WORK_EVERY_MS ?? 1000);
let count = 0;

console.log(`worker ${process.env.CF_INSTANCE_INDEX ?? 0} started`);
const timer = setInterval(() => console.log(`worked ${(count += 1)}`), everyMs);

process.on('SIGTERM', () => {
  clearInterval(timer);
  console.log('stopping');
});
