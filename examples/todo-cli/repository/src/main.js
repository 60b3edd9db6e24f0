/** Runs the command named by the first argument; returns the exit code. */
export async function main([name = 'help', ...args], context) {
  if (!/^[a-z]+$/.test(name)) return unknown(name, context);
  let command;
  try {
    command = await import(`./commands/${name}.js`);
  } catch (error) {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return unknown(name, context);
    throw error;
  }
  return (await command.run(args, context)) ?? 0;
}

function unknown(name, { write }) {
  write(`todo: unknown command ${name}`);
  return 2;
}
