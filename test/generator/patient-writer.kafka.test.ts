// The patient writer, with a real broker that is at first not where it is looked for.
import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { createPatientWriter } from '../../generator/patient-writer.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { eventually } from '../support/eventually.ts';
import { brokers, freshTopic, readWholeTopic } from './generator-world.ts';

const segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1), rate: 100 };
const messages = createMessageMaker(createGeneratorSpec({ topic: 't' })).messages(segment, 0, 50);
const nobody = ['127.0.0.1:1'];

test('a batch waits until Kafka is there, says why meanwhile, and then is written once', async () => {
  const topic = await freshTopic();
  const asked = { brokers: nobody };
  const giveUp = new AbortController();
  const writer = createPatientWriter(() => openEventWriter({ ...asked, topic }), { giveUp: giveUp.signal });
  const written = writer.write(messages);
  expect(await eventually(writer.trouble, { deadlineMs: 50_000, what: 'a reason for waiting' })).toMatch(
    /127\.0\.0\.1:1/,
  );
  asked.brokers = brokers();
  expect(await written).toBe(true);
  expect(writer.trouble()).toBe(null);
  await writer.close();
  expect(await readWholeTopic(topic)).toHaveLength(50);
});

test('a writer that is told to give up says so at once, and why', async () => {
  const giveUp = new AbortController();
  const writer = createPatientWriter(() => openEventWriter({ brokers: nobody, topic: 't' }), { giveUp: giveUp.signal });
  const written = writer.write(messages);
  giveUp.abort();
  expect(await written).toBe(false);
  expect(writer.trouble()).toMatch(/\.$/);
  await writer.close();
});
