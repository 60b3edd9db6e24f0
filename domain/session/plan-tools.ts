/** Tools that begin and end plan mode. Apart from what reads transcripts: no schema has to be loaded for it. */
export const planTools = { enter: 'plan_enter', exit: 'plan_exit' } as const;
