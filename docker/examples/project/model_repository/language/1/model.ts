import { franc } from "franc-min";
import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

/** The language of each text as the three letters of ISO 639-3: "eng", "deu", or "und" where it cannot be told. */
export default class Language implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return requests.map((request) => {
      const text = request.input("TEXT", "BYTES");
      const languages = text.strings().map((each) => franc(each));
      return new InferenceResponse([new Tensor("LANGUAGE", languages, text.shape)]);
    });
  }
}
