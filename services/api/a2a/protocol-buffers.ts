import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import protobuf from 'protobufjs';
import protojson from 'protobufjs/ext/protojson.js';

const files = { '1.0': 'a2a-1.0.proto', '0.3': 'a2a-0.3.proto' } as const;
const roots = new Map<string, protobuf.Root>();

/** The messages of a version, as `proto/` has them. */
export function protocol(version: keyof typeof files): protobuf.Root {
  const known = roots.get(version);
  if (known !== undefined) return known;
  // Built, the folder is one further up.
  const places = ['../../../proto/', '../../../../proto/'].map((place) =>
    fileURLToPath(new URL(`${place}${files[version]}`, import.meta.url)),
  );
  const root = new protobuf.Root();
  root.loadSync(places.find((place) => existsSync(place)) ?? '').resolveAll();
  roots.set(version, root);
  return root;
}

/** The messages of a call of 0.3. */
export function legacyTypes(name: string): { readonly request: protobuf.Type; readonly response: protobuf.Type } {
  const call = protocol('0.3').lookupService('a2a.v1.A2AService').methods[name];
  if (!(call?.resolvedRequestType && call.resolvedResponseType)) throw new Error(`A2A 0.3 has no ${name}`);
  return { request: call.resolvedRequestType, response: call.resolvedResponseType };
}

/** In the bytes of the wire. Members that are not known are passed over. @throws what is wrong with it */
export function bytesOfJson(type: protobuf.Type, json: unknown): Buffer {
  return Buffer.from(type.encode(protojson.fromJson(type, json, { ignoreUnknownFields: true })).finish());
}

export function jsonOfBytes(type: protobuf.Type, bytes: Uint8Array): unknown {
  return protojson.toJson(type, type.decode(bytes));
}
