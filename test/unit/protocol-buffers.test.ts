import { LegacyA2AService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { protocol } from '../../services/api/a2a/protocol-buffers.ts';

interface SdkMethod {
  readonly path: string;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

const versions = [
  { version: '1.0', name: 'lf.a2a.v1.A2AService', sdk: A2AService as { readonly [name: string]: SdkMethod } },
  { version: '0.3', name: 'a2a.v1.A2AService', sdk: LegacyA2AService as { readonly [name: string]: SdkMethod } },
  { version: '0.3', name: 'a2a.v1.A2aService', sdk: LegacyA2AService as { readonly [name: string]: SdkMethod } },
] as const;
/** The most alternatives that one choice has. */
const mostAlternatives = 5;

/** A message of the type in which every field has a value, and each choice its `variant`-th one. */
function filled(type: protobuf.Type, variant: number, seen: Set<string>): object {
  seen.add(type.fullName);
  if (type.fullName === '.google.protobuf.Struct')
    return { fields: { a: { numberValue: 1.5 }, b: { stringValue: 'x' } } };
  if (type.fullName === '.google.protobuf.Value') return { listValue: { values: [{ boolValue: true }] } };
  if (type.fullName === '.google.protobuf.Timestamp') return { seconds: 1_700_000_000, nanos: 5_000_000 };
  const message: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const choice = field.partOf;
    if (choice !== null && choice.oneof.length > 1) {
      if (choice.oneof[variant % choice.oneof.length] !== field.name) continue;
      // A choice below chooses on its own.
      message[field.name] = valueOf(field, Math.floor(variant / mostAlternatives), seen);
      continue;
    }
    const value = valueOf(field, variant, seen);
    message[field.name] = field.repeated ? [value] : field.map ? { key: value } : value;
  }
  return message;
}

function valueOf(field: protobuf.Field, variant: number, seen: Set<string>): unknown {
  field.resolve();
  if (field.resolvedType instanceof protobuf.Type) return filled(field.resolvedType, variant, seen);
  if (field.resolvedType instanceof protobuf.Enum) return 1 + (variant % 2);
  if (field.type === 'bool') return true;
  if (field.type === 'bytes') return Buffer.from('raw');
  return field.type === 'string' ? field.name : 7 + variant;
}

const plain = { longs: Number, enums: Number, bytes: String };

describe.each(versions)('proto/ of A2A $version, service $name', ({ version, name, sdk }) => {
  const service = protocol(version).lookupService(name);

  test("has the SDK's calls, and no other", () => {
    const own = service.methodsArray.map((each) => `${each.name} ${each.responseStream === true}`);
    const calls = Object.values(sdk).map(({ path, responseStream }) => `${path.split('/').at(-1)} ${responseStream}`);
    expect(new Set(own)).toEqual(new Set(calls));
  });

  test("has each message with the fields and numbers of the SDK's codecs, and no message that is not sent", () => {
    const seen = new Set<string>();
    for (const { path, ...codec } of Object.values(sdk)) {
      const call = service.methods[path.split('/').at(-1) ?? ''];
      for (const [type, again] of [
        [
          call?.resolvedRequestType,
          (bytes: Buffer) => codec.requestSerialize(codec.requestDeserialize(bytes) as never),
        ],
        [
          call?.resolvedResponseType,
          (bytes: Buffer) => codec.responseSerialize(codec.responseDeserialize(bytes) as never),
        ],
      ] as const) {
        if (!type) throw new Error(`there is no ${path}`);
        for (let variant = 0; variant < mostAlternatives ** 2; variant++) {
          const bytes = Buffer.from(type.encode(type.fromObject(filled(type, variant, seen))).finish());
          const told = type.toObject(type.decode(again(bytes)), plain);
          expect(told, `${type.fullName} ${variant}`).toEqual(type.toObject(type.decode(bytes), plain));
          if (type.fieldsArray.length > 0) expect(bytes.length).toBeGreaterThan(0);
        }
      }
    }
    const own = protocol(version).lookup(name.replace(/\.\w+$/, '')) as protobuf.Namespace;
    const types = own.nestedArray.filter((each) => each instanceof protobuf.Type).map(({ fullName }) => fullName);
    expect(types.filter((each) => !seen.has(each))).toEqual([]);
  });
});
