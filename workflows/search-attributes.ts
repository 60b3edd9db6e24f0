import { defineSearchAttributeKey } from '@temporalio/common';

export const statusAttribute = defineSearchAttributeKey('CodetetherStatus', 'KEYWORD');
export const progressAttribute = defineSearchAttributeKey('CodetetherProgress', 'INT');
export const costAttribute = defineSearchAttributeKey('CodetetherCostUsd', 'DOUBLE');
