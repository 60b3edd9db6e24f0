export function run(_args, { write }) {
  write('usage: todo <command>');
}
