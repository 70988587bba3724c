// What people type into the search field, each in the language of the place where they live.
import { faker as german } from '@faker-js/faker/locale/de';
import { faker as english } from '@faker-js/faker/locale/en';
import { faker as spanish } from '@faker-js/faker/locale/es';
import { faker as french } from '@faker-js/faker/locale/fr';
import { faker as dutch } from '@faker-js/faker/locale/nl';
import { faker as portuguese } from '@faker-js/faker/locale/pt_BR';

import type { Item } from './catalogue.ts';

export type Language = 'en' | 'de' | 'fr' | 'es' | 'nl' | 'pt';

/** By language: JSON strings, quotes included. */
export type SearchPhrases = Readonly<Record<Language, readonly string[]>>;

const SPEAKERS = { en: english, de: german, fr: french, es: spanish, nl: dutch, pt: portuguese };
const PHRASES_PER_LANGUAGE = 250;

/** The phrases of a world: things the shop has, things people can think of, and colours. */
export function createSearchPhrases(worldKey: number, items: readonly Item[]): SearchPhrases {
  const phrases = (language: Language): string[] => {
    SPEAKERS[language].seed(worldKey);
    return Array.from({ length: PHRASES_PER_LANGUAGE }, (_, number) =>
      JSON.stringify(phrase(language, number, items).toLowerCase()),
    );
  };
  return {
    en: phrases('en'),
    de: phrases('de'),
    fr: phrases('fr'),
    es: phrases('es'),
    nl: phrases('nl'),
    pt: phrases('pt'),
  };
}

function phrase(language: Language, number: number, items: readonly Item[]): string {
  const { commerce, color } = SPEAKERS[language];
  const item = items[number % items.length];
  if (number % 3 === 0 && language === 'en' && item) return item.name;
  if (number % 3 === 1) return `${commerce.product()} ${color.human()}`;
  return `${commerce.productAdjective()} ${commerce.product()}`;
}
