// The same conversation by Vercel's AI SDK: node vercel.mjs URL, in a folder with its packages.
// Spans are sent to URL/v1/traces as an exporter sends them; programs.py keeps them.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import * as ai from 'ai';
import { z } from 'zod';

const url = process.argv[2];
const isLegacy = process.argv[3] === 'legacy';
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'weather' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces` }))],
});
provider.register();
if (ai.registerTelemetry) {
  const otel = await import('@ai-sdk/otel');
  ai.registerTelemetry(isLegacy ? new otel.LegacyOpenTelemetry() : new otel.OpenTelemetry());
}
const models = createOpenAICompatible({ name: 'fake', baseURL: `${url}/v1`, apiKey: 'k' });
const model = models('gpt-4o-mini');
const telemetry = {
  isEnabled: true,
  functionId: 'forecaster',
  metadata: { sessionId: 'thread-7', userId: 'ada' },
};
const named = { experimental_telemetry: telemetry, telemetry, maxRetries: 0 };
const weather = ai.tool({
  description: 'Return the weather of a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => (city === 'Paris' ? '{"sky": "sunny"}' : '18'),
});
await ai.generateText({
  model,
  system: 'Be brief.',
  prompt: 'What is the weather in Paris, and how warm is Rome?',
  tools: { weather },
  stopWhen: ai.stepCountIs ? ai.stepCountIs(3) : ai.isStepCount(3),
  ...named,
});
await ai.generateText({ model, prompt: 'Please fail.', ...named }).catch(() => null);
await provider.forceFlush();
await provider.shutdown();
