import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { FileDescriptorProto } from 'protobufjs/ext/descriptor.js';
import type { IFileDescriptorProto } from 'protobufjs/ext/descriptor.js';

const reflectionFile = join(
  createRequire(import.meta.url).resolve('@grpc/reflection'),
  '../../proto/grpc/reflection/v1/reflection.proto',
);
const reflectionPath = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

interface ReflectionAnswer {
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] };
}

/** A service by nothing but its address and its name, as `grpcurl` calls it; messages are the JSON of their descriptors. */
export interface ReflectedService {
  /** All answers of the call. @throws grpc-js' errors */
  call(method: string, message: object): Promise<Record<string, unknown>[]>;
  close(): void;
}

export async function reflectedService(options: {
  /** `host:port` */
  readonly address: string;
  readonly token: string;
  readonly service: string;
}): Promise<ReflectedService> {
  const client = new Client(options.address, credentials.createInsecure());
  const send = async (path: string, message: Buffer): Promise<Buffer[]> => {
    const metadata = Metadata.fromHttp2Headers({ authorization: `Bearer ${options.token}` });
    const same = (bytes: Buffer): Buffer => bytes;
    const answers: Buffer[] = [];
    for await (const answer of client.makeServerStreamRequest(path, same, same, message, metadata))
      answers.push(answer as Buffer);
    return answers;
  };

  const reflection = protobuf.loadSync(reflectionFile);
  const question = reflection.lookupType('grpc.reflection.v1.ServerReflectionRequest');
  const asked = question.encode(question.fromObject({ fileContainingSymbol: options.service })).finish();
  const [told = Buffer.alloc(0)] = await send(reflectionPath, Buffer.from(asked));
  const answer = reflection.lookupType('grpc.reflection.v1.ServerReflectionResponse').decode(told);
  const { fileDescriptorResponse } = answer as unknown as ReflectionAnswer;
  const file = (fileDescriptorResponse?.fileDescriptorProto ?? []).map(
    (bytes) => FileDescriptorProto.decode(bytes) as IFileDescriptorProto,
  );
  const learned = protobuf.Root.fromDescriptor({ file }).resolveAll().lookupService(options.service);

  return {
    call: async (name, message) => {
      const method = learned.methodsArray.find((each) => each.name === name);
      const request = method?.resolvedRequestType ?? undefined;
      const response = method?.resolvedResponseType ?? undefined;
      if (request === undefined || response === undefined) throw new Error(`${options.service} has no ${name}`);
      const bytes = Buffer.from(request.encode(request.fromObject(message)).finish());
      const answers = await send(`/${options.service}/${name}`, bytes);
      return answers.map((each) => response.toObject(response.decode(each), { enums: String }));
    },
    close: () => client.close(),
  };
}
