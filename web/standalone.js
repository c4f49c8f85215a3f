// The JavaScript half alone, for a page that starts the module itself, as any Go program.
import { putOnPage } from '../internal/jsbridge/stock.js';

putOnPage(VERSION);
