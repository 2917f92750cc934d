/** The clients that are tried, at the newest versions of the day that is on the page. */
import type { Client } from './client.js';
import { tryLmEval } from './lm-eval.js';
import { trySchemathesis } from './schemathesis.js';
import { scripted } from './scripted.js';

export const CLIENTS: readonly Client[] = [
  { name: 'lm-evaluation-harness', language: 'python', packages: ['lm_eval[api]==0.4.13'], try: tryLmEval },
  { name: 'openai (Python)', language: 'python', packages: ['openai==3.57.0'], try: scripted('openai_python.py') },
  { name: 'openai (Node)', language: 'node', packages: ['openai@7.59.0'], try: scripted('openai_node.mjs') },
  {
    name: 'LangChain (Python)',
    language: 'python',
    packages: ['langchain-openai==1.7.4'],
    try: scripted('langchain_python.py'),
  },
  {
    name: 'AI SDK',
    language: 'node',
    packages: ['ai@7.0.173', '@ai-sdk/openai-compatible@3.0.92'],
    try: scripted('ai_sdk.mjs'),
  },
  { name: 'litellm', language: 'python', packages: ['litellm==1.110.2'], try: scripted('litellm_python.py') },
  { name: 'schemathesis', language: 'python', packages: ['schemathesis==4.32.5'], try: trySchemathesis },
];
