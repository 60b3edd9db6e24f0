/** Characters of one message to a session. Apart from the schemas, so that a program that starts quickly need not load zod. */
export const longestMessage = 1_000_000;
