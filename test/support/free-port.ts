export { freePort } from '../../services/stack/ports.ts';
