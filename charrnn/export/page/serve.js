// Runs work piece by piece, in a worker or else in the page itself, and reports what it yields.
//
// In: { channel, run, work, wanted, pace, ... }   begin; wanted: characters, pace: per second
//     { channel, change: "pause" }                stop for now
//     { channel, change: "go", wanted, pace, settings }   go on, for so many more or to the end
//     { channel, change: "stop" }
// Out: { channel, run, found: [...], done, result, failure }
// Each channel has one piece of work. A new one takes the place of the old.

const SLICE = 20; // ms of work between two reports

const makeServer = (work, report) => {
  const channels = new Map();
  let planned = false;
  const plan = wait => {
    if (!planned) setTimeout(tick, wait);
    planned = true;
  };
  const slice = (channel, task) => {
    const { run } = task, until = performance.now() + SLICE, found = [];
    const allowed = task.pace
      ? Math.ceil((performance.now() - task.begun) * task.pace / 1000) : Infinity;
    let result;
    try {
      while (task.left > 0 && task.made < allowed && performance.now() < until) {
        const { value, done } = task.steps.next();
        if (done) {
          result = value;
          task.left = 0;
          break;
        }
        if (value === null) continue;
        found.push(value);
        task.made++;
        task.left--;
      }
    } catch (error) {
      channels.delete(channel);
      report({ channel, run, found, done: true, failure: error.message });
      return;
    }
    const done = !(task.left > 0);
    if (done) task.resting = true;
    if (found.length || done) report({ channel, run, found, done, result });
  };
  const tick = () => {
    planned = false;
    for (const [channel, task] of channels) if (!task.resting) slice(channel, task);
    const busy = [...channels.values()].filter(task => !task.resting);
    if (busy.length) plan(busy.every(task => task.pace) ? 16 : 0);
  };
  return message => {
    const { channel, change } = message, task = channels.get(channel);
    if (change === "stop") {
      channels.delete(channel);
    } else if (change === "pause") {
      if (task) task.resting = true;
    } else if (change === "go") {
      if (!task) return;
      Object.assign(task.message.settings, message.settings);
      Object.assign(task, { left: message.wanted ?? task.left, pace: message.pace, made: 0,
                            begun: performance.now(), resting: false });
      plan(0);
    } else {
      const { run, wanted = Infinity, pace = 0 } = message;
      channels.set(channel, { message, run, left: wanted, pace, made: 0, begun: performance.now(),
                              resting: false, steps: work[message.work](message) });
      plan(0);
    }
  };
};
